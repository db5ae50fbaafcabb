//! CMAC in triple DES (NIST SP 800-38B), over a key whose schedule is expanded
//! already. For AES see [`crate::aes_key`].

use crate::des_key::{DesKey, xor};

/// What a subkey is reduced by when its top bit falls out, for blocks of 64 bits.
const REDUCTION: u64 = 0x1B;

/// The CMAC of `data`, eight bytes.
pub(crate) fn tdes(key: &DesKey, data: &[u8]) -> [u8; 8] {
    let whole_key = doubled(key.encrypt([0; 8]));
    // A message that fills its last block is told from one that was padded by another subkey.
    let (head, last) = match data.len() % 8 {
        0 if !data.is_empty() => data.split_at(data.len() - 8),
        rest => data.split_at(data.len() - rest),
    };
    let mut block = [0; 8];
    block[..last.len()].copy_from_slice(last);
    let subkey = if last.len() == 8 {
        whole_key
    } else {
        block[last.len()] = 0x80;
        doubled(whole_key)
    };
    let chain = head.as_chunks().0.iter().fold([0; 8], |chain, block| key.encrypt(xor(chain, *block)));
    key.encrypt(xor(chain, xor(block, subkey)))
}

/// Multiplication by two in GF(2⁶⁴). Without a branch: the subkey is secret.
fn doubled(block: [u8; 8]) -> [u8; 8] {
    let number = u64::from_be_bytes(block);
    ((number << 1) ^ ((number >> 63) * REDUCTION)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use ::cmac::{Cmac, Mac as _};
    use cipher::{KeyInit as _, common::InnerInit as _};
    use des::TdesEde2;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_cmac_of_the_library(
            key: [u8; 16], data in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let Ok(ours) = DesKey::new(&key) else { return Ok(()) };
            let mut theirs: Cmac<TdesEde2> = Cmac::inner_init(TdesEde2::new_from_slice(&key).unwrap());
            theirs.update(&data);
            prop_assert_eq!(tdes(&ours, &data).to_vec(), theirs.finalize().into_bytes().to_vec());
        }
    }
}
