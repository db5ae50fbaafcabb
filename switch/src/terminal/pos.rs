//! A POS terminal of the dialect `pos`: working keys, which a sign-in brings.
//!
//! Start at [`PosTerminal`].

use hsm_sim::MacAlgorithm;
use hsm_sim::emulator::TerminalKeys;

use super::compose::Management;
use super::device::Terminal;
use super::error::TerminalError;
use super::exchange::Exchange;
use super::frame::Frame;
use super::private_57::Tags;
use super::security::WorkingKeys;

/// A POS terminal of the dialect `pos`: working keys under a terminal master key.
pub type PosTerminal = Terminal<WorkingKeys>;

impl PosTerminal {
    /// A terminal that was given its master key (16 bytes in clear) and is not connected yet. It is in
    /// batch 1, and its first STAN is 1.
    #[must_use]
    pub fn new(terminal_id: [u8; 8], merchant_id: [u8; 15], algorithm: MacAlgorithm, tmk: [u8; 16]) -> Self {
        Self::keeping(terminal_id, merchant_id, WorkingKeys { keys: TerminalKeys::new(tmk), algorithm })
    }

    /// How its requests are authenticated.
    #[must_use]
    pub fn algorithm(&self) -> MacAlgorithm {
        self.security.algorithm
    }

    /// Asks for working keys (0800, 60.3 = 003) and takes them over if it is approved and both check values are
    /// right.
    ///
    /// # Errors
    /// No line, an answer without keys, or keys that do not fit this terminal's master key.
    pub fn sign_in(&mut self) -> Result<Exchange, TerminalError> {
        let frame = self.prepare_sign_in()?;
        let exchange = self.send(&frame)?;
        if let (true, Some(answer)) = (exchange.approved(), &exchange.answer) {
            self.take_keys(answer)?;
        }
        Ok(exchange)
    }

    /// Builds a sign-in under the next STAN, without sending it.
    ///
    /// # Errors
    /// It does not fit the table of `pos`, which would be a fault of this program.
    pub fn prepare_sign_in(&mut self) -> Result<Frame, TerminalError> {
        self.prepare_management(Management::SignIn, &Tags::default())
    }

    /// Takes over the working keys in a sign-in's answer.
    ///
    /// # Errors
    /// An answer without keys, or keys that do not fit this terminal's master key.
    pub fn take_keys(&mut self, answer: &Frame) -> Result<(), TerminalError> {
        let message = answer.message().map_err(TerminalError::Answer)?;
        let field: [u8; 40] = message.fixed(62).ok_or(TerminalError::NoKeysInAnswer)?;
        let (pin, mac) = field.split_at(20);
        let parts = |half: &[u8]| Some((*half.first_chunk::<16>()?, *half.last_chunk::<4>()?));
        let (Some((pin, pin_check)), Some((mac, mac_check))) = (parts(pin), parts(mac)) else {
            return Err(TerminalError::NoKeysInAnswer);
        };
        let keys = &mut self.security.keys;
        keys.accept(&pin, &pin_check, &mac, &mac_check).map_err(TerminalError::KeysRefused)
    }
}
