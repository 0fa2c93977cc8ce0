//! Statistics ([`stats`]), and goals with the verdicts on them ([`goals`]).

pub(crate) mod goals;
pub(crate) mod stats;
