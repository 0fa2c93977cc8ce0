//! Reading the adapters again.

use tokio::task::spawn_blocking;

use super::super::declaration::Declaration;
use super::super::load::{self, RegisterError};
use super::Deployer;
use super::scan::Scan;
use engine::Part;
use sanitize::error_chain;

impl Deployer {
    /// Reads the adapters again. Returns whether that worked.
    pub(super) async fn read_adapters(
        &mut self,
        declaration: &Declaration,
        scan: &mut Scan,
    ) -> bool {
        match self.new_adapters(declaration).await {
            Ok(adapters) => {
                self.adapters = adapters.into();
                self.adapter_stamps.clone_from(&scan.adapters);
                self.bad_adapters.forget();
                true
            }
            Err(_) if self.may_adapters_be_unfinished(&scan.adapters) => false,
            Err(error) => {
                let text = format!("the adapters stay as they were: {}", error_chain(&error));
                scan.problems.insert(text);
                false
            }
        }
    }

    async fn new_adapters(&self, declaration: &Declaration) -> Result<Vec<Part>, RegisterError> {
        let declaration = declaration.clone();
        let max_bytes = self.loader.max_component_bytes;
        let read = spawn_blocking(move || load::read_adapters(&declaration, max_bytes)).await;
        let adapters = read.map_err(|error| RegisterError::Panicked(error.to_string()))??;
        load::check_adapters(&self.loader.compiler, &adapters).await?;
        Ok(adapters)
    }
}
