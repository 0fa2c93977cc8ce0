//! Refuses text that is nested so deeply that reading it would need too much
//! stack.

use wac_parser::lexer::{Lexer, Token};

use crate::wac::WacError;
use crate::wac::excerpt::Source;

/// How deep brackets of any kind may be nested: far more than people write, far
/// less than what the parser has stack for.
const MAXIMUM: usize = 64;

/// How many types a text may declare: each can be built of the one before, and
/// encoding goes down to the first.
const MAXIMUM_TYPES: usize = 1_000;

/// Fails if the parser, which calls itself for each bracket, would go too deep.
pub(super) fn refuse_deep(source: &Source<'_>) -> Result<(), WacError> {
    // The parser says the same, with the same place.
    let Ok(lexer) = Lexer::new(source.text) else {
        return Ok(());
    };
    let mut depth = 0_usize;
    let mut types = 0_usize;
    for (token, span) in lexer {
        match token {
            Ok(Token::OpenBrace | Token::OpenParen | Token::OpenBracket | Token::OpenAngle) => {
                depth += 1;
            }
            Ok(Token::CloseBrace | Token::CloseParen | Token::CloseBracket | Token::CloseAngle) => {
                depth = depth.saturating_sub(1);
            }
            Ok(
                Token::TypeKeyword
                | Token::RecordKeyword
                | Token::VariantKeyword
                | Token::InterfaceKeyword
                | Token::WorldKeyword,
            ) => types += 1,
            _ => {}
        }
        let message = if depth > MAXIMUM {
            format!("brackets are nested more than {MAXIMUM} deep")
        } else if types > MAXIMUM_TYPES {
            format!("more than {MAXIMUM_TYPES} types are declared")
        } else {
            continue;
        };
        return Err(WacError::Text {
            excerpt: source.at(span.offset(), span.len(), &message),
        });
    }
    Ok(())
}
