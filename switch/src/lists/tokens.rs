//! Card numbers to tokens, by the key under which a switch keeps its cards.

use hsm_sim::{Hsm, HsmError, KeyHandle, Pan, TokenRequest};

use crate::{
    app::system_entropy,
    city::{KeyFile, KeyRole},
    config,
    keys::{self, LmkError},
};

/// Why no tokens can be made.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The HSM or its key file cannot be used.
    #[error(transparent)]
    Lmk(#[from] LmkError),
    /// The key is refused.
    #[error("the HSM refuses the token key")]
    Hsm(#[source] HsmError),
}

/// Makes tokens.
#[derive(Debug)]
pub struct Tokens {
    hsm: Hsm,
    key: KeyHandle,
    made: Vec<Result<hsm_sim::PanToken, HsmError>>,
}

impl Tokens {
    /// With the key file and the LMK of a switch's configuration.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn open(config: &config::Hsm) -> Result<Self, TokensError> {
        let (mut hsm, file) = keys::open(config)?;
        let block = match file {
            KeyFile::Live(keys) => Ok(keys.token),
            KeyFile::Test(keys) => {
                hsm.import_clear_test_key(KeyRole::Token.usage(), keys.token.expose(), &mut {
                    system_entropy
                })
            }
        };
        let key = block.and_then(|block| hsm.load_key(&block)).map_err(TokensError::Hsm)?;
        Ok(Self { hsm, key, made: Vec::with_capacity(1) })
    }

    /// The token of a card number.
    ///
    /// # Errors
    /// The HSM refuses.
    pub fn token(&mut self, pan: &Pan) -> Result<[u8; 16], TokensError> {
        self.hsm.tokenise_pans(&[TokenRequest { key: self.key, pan }], &mut self.made);
        // INVARIANT: a batch call returns one result an item.
        let token = self.made.pop().expect("one result for one item");
        token.map(|token| token.0).map_err(TokensError::Hsm)
    }
}
