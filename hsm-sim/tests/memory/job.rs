//! What the child is to verify, and what only this process knows of it.

use hsm_sim::{
    Entropy, Hsm, KeyUsage, Lmk, Pan, PsamNumber, check_digit,
    emulator::{Psam, PsamMasters},
};

/// Keys that do not stay loaded.
pub(crate) const OTHERS: usize = 80;

/// PSAMs, whose own keys are in the child's cache after the first batches.
pub(crate) const PSAMS: usize = 40;

/// Index of the PIN verification key.
pub(crate) const PVKI: u8 = 1;

/// PINs to be verified.
pub(crate) struct Job {
    /// Key blocks: the PSAM master of PIN keys, the PIN verification key.
    pub(crate) blocks: [String; 2],
    /// The master in clear.
    pub(crate) master: [u8; 16],
    /// In their order.
    pub(crate) items: Vec<Item>,
    /// Keys that are loaded, used and unloaded: their blocks, and they themselves.
    pub(crate) others: Vec<(String, [u8; 16])>,
}

/// One PIN: what the child is given, and the PIN.
pub(crate) struct Item {
    pub(crate) psam: [u8; 8],
    pub(crate) random: [u8; 8],
    pub(crate) stan: u32,
    pub(crate) block: [u8; 8],
    pub(crate) pan: Vec<u8>,
    pub(crate) pvv: [u8; 4],
    /// Not given.
    pub(crate) pin: Vec<u8>,
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, end: u64) -> usize {
        usize::try_from(self.next() % end).unwrap()
    }

    fn digits(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| b"0123456789"[self.below(10)]).collect()
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

impl Entropy for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next().to_be_bytes()[0]);
    }
}

impl Job {
    /// Random PINs of 4 to 12 digits, each of a card of its own.
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut hsm = Hsm::new(Lmk::test());
        let [master, pvk, mac, track, auth] = std::array::from_fn(|_| random.bytes());
        let wrap = |hsm: &mut Hsm, usage, key: &[u8; 16], random: &mut Random| {
            hsm.import_clear_test_key(usage, key, random).unwrap()
        };
        let master_block = wrap(&mut hsm, KeyUsage::PsamPin, &master, &mut random);
        let pvk_block = wrap(&mut hsm, KeyUsage::PinVerification, &pvk, &mut random);
        let pvk = hsm.load_key(&pvk_block).unwrap();
        let masters = PsamMasters { pin: master, mac, track, auth };
        let psams: Vec<Psam> = (0..PSAMS)
            .map(|number| {
                let digits = u8::try_from(number / 10 * 16 + number % 10).unwrap();
                let number = PsamNumber::parse_bcd(&[0x31, 0, 0, 0, 0, 0, 0x12, digits]).unwrap();
                Psam::new(number, &masters).unwrap()
            })
            .collect();
        let items = (0..count).map(|at| {
            let psam = &psams[at % PSAMS];
            let mut pan = random.digits(15 + at % 4);
            pan.push(check_digit(&pan).unwrap());
            let (pin_length, stan) = (4 + random.below(9), u32::try_from(random.below(1_000_000)).unwrap());
            let (pin, drawn) = (random.digits(pin_length), random.bytes());
            let card = Pan::parse(&pan).unwrap();
            Item {
                psam: *psam.number().as_bcd(),
                random: drawn,
                stan,
                block: psam.pin_block(drawn, stan, &pin, &card).unwrap(),
                pvv: hsm.test_pvv(pvk, PVKI, &card, &pin).unwrap(),
                pan,
                pin,
            }
        });
        let items = items.collect();
        let others = (0..OTHERS).map(|_| {
            let key = random.bytes();
            (wrap(&mut hsm, KeyUsage::MacX919, &key, &mut random).as_str().to_owned(), key)
        });
        let others = others.collect();
        Self {
            blocks: [master_block, pvk_block].map(|block| block.as_str().to_owned()),
            master,
            items,
            others,
        }
    }
}
