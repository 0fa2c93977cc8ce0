//! Reading the adapters again.

use engine::Part;
use sanitize::error_chain;

use super::super::config::FunctionsConfig;
use super::super::load::{self, RegisterError};
use super::Deployer;
use super::load_context::run_blocking;
use super::scan::Scan;

impl Deployer {
    /// Reads and checks the adapters again. Returns whether they changed.
    pub(super) async fn read_adapters(
        &mut self,
        functions_config: &FunctionsConfig,
        scan: &mut Scan,
    ) -> bool {
        match self.new_adapters(functions_config).await {
            Ok(adapters) => {
                self.adapters = adapters.into();
                self.adapter_fingerprints.clone_from(&scan.adapters);
                self.rejected_adapters.reset();
                true
            }
            Err(_) if self.may_adapters_be_incomplete(&scan.adapters) => false,
            Err(error) => {
                let text = format!(
                    "adapters rejected, previous adapters stay active: {}",
                    error_chain(&error)
                );
                scan.problems.insert(text);
                false
            }
        }
    }

    async fn new_adapters(
        &self,
        functions_config: &FunctionsConfig,
    ) -> Result<Vec<Part>, RegisterError> {
        let functions_config = functions_config.clone();
        let max_bytes = self.loader.max_component_bytes;
        let read =
            move || Ok::<_, RegisterError>(load::read_adapters(&functions_config, max_bytes)?);
        let adapters = run_blocking(read).await?;
        load::check_adapters(&self.loader.compiler, &adapters).await?;
        Ok(adapters)
    }
}
