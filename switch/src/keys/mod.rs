//! The life of keys outside the HSM: the local master key formed of component files, key files under it, and the way from
//! one local master key to the next.
//!
//! No key is ever in clear here: components are read by `hsm-sim`'s own type, everything else is key blocks. The keys of a
//! test city are the exception, which [`blocks::of_test`] ends. Whether a block is genuine only the HSM knows; the forms of
//! the files are [`crate::city`]'s.
//!
//! Start at [`open`]: what a start needs, checked before a port opens.

pub mod blocks;
pub mod component;
pub mod files;
pub mod rewrap;
pub mod rotate;
pub mod wrap;

use std::path::{Path, PathBuf};

use hsm_sim::{ComponentError, Hsm, HsmError, Lmk};

use self::{blocks::KeyFault, component::ComponentFileError, files::FilesError};
use crate::{
    city::{CityError, KeyFile, LiveKeys, LmkKind},
    config::{self, HsmMode},
};

/// Why the HSM or its key file cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LmkError {
    /// A component file is at fault.
    #[error(transparent)]
    File(#[from] ComponentFileError),
    /// The components do not make a key together.
    #[error("the component files do not form an LMK; name two to nine, each of another custodian")]
    Components(#[source] ComponentError),
    /// The components form the key that everybody knows.
    #[error(
        "the component files form the published test LMK, which is refused; draw new components with \
         `cardswitch keys component`"
    )]
    TestLmk,
    /// The key file has keys in clear, and the mode is live.
    #[error(
        "hsm.keys: the file has test keys in clear, which are refused with hsm.mode = \"live\"; make key blocks of them \
         with `cardswitch keys wrap`"
    )]
    TestKeys,
    /// The key file has key blocks, and the mode is test.
    #[error(
        "hsm.keys: the file has key blocks under the LMK {}, and hsm.mode is \"test\"; set hsm.mode = \"live\" and \
         hsm.components",
        CheckValue(*.0)
    )]
    LiveKeys([u8; 3]),
    /// The key file is under another local master key.
    #[error(
        "hsm.keys: the file is under the LMK {}, and the component files form {}; name the components of the first, or \
         re-wrap the file with `cardswitch keys rotate`",
        CheckValue(*.named),
        CheckValue(*.formed)
    )]
    OtherLmk {
        /// Check value in the file.
        named: [u8; 3],
        /// Check value of what the components form.
        formed: [u8; 3],
    },
    /// The previous local master key cannot come before the present one.
    #[error("hsm.previous_components: they do not name an earlier LMK than hsm.components")]
    Previous(#[source] HsmError),
    /// The key file cannot be read.
    #[error("hsm.keys: {0}")]
    KeyFile(CityError),
    /// A key block of the key file is refused.
    #[error(transparent)]
    Key(#[from] KeyFault),
}

/// A check value for people: six upper-case hex digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckValue(pub [u8; 3]);

impl std::fmt::Display for CheckValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a:02X}{b:02X}{c:02X}")
    }
}

/// The HSM as it is configured, and the key file, every block of which it has opened. If a previous local master key is
/// named, its replacement is under way: see [`rewrap`].
///
/// # Errors
/// See [`LmkError`].
#[inline(never)] // So that its caller can overwrite the stack it has used.
pub fn open(config: &config::Hsm) -> Result<(Hsm, KeyFile), LmkError> {
    let keys = KeyFile::open(&config.keys).map_err(LmkError::KeyFile)?;
    let mut hsm = match (config.mode, keys.lmk()) {
        (HsmMode::Test, LmkKind::Test) => Hsm::new(Lmk::test()),
        (HsmMode::Test, LmkKind::Live(named)) => return Err(LmkError::LiveKeys(named)),
        (HsmMode::Live, LmkKind::Test) => return Err(LmkError::TestKeys),
        (HsmMode::Live, LmkKind::Live(named)) => {
            let lmk = form(&config.components)?;
            let formed = lmk.check_value();
            if formed != named {
                return Err(LmkError::OtherLmk { named, formed });
            }
            under(lmk, &config.previous_components)?
        }
    };
    if let KeyFile::Live(keys) = &keys {
        blocks::check(keys, &mut hsm)?;
    }
    Ok((hsm, keys))
}

/// An HSM under a local master key of components, which is never the published one.
///
/// # Errors
/// See [`LmkError`].
pub fn hsm_of(components: &[PathBuf]) -> Result<Hsm, LmkError> {
    form(components).map(Hsm::new)
}

/// An HSM under a local master key of components, and a file of key blocks under it, each of which it has opened.
///
/// # Errors
/// See [`FilesError`].
pub fn open_file(components: &[PathBuf], path: &Path) -> Result<(Hsm, LiveKeys), FilesError> {
    let mut hsm = hsm_of(components)?;
    let formed = hsm.lmk_check_value();
    let KeyFile::Live(keys) = KeyFile::open(path)? else {
        return Err(FilesError::TestKeys(path.to_owned()));
    };
    if let LmkKind::Live(named) = keys.lmk
        && named != formed
    {
        return Err(FilesError::OtherLmk { path: path.to_owned(), named, formed });
    }
    blocks::check(&keys, &mut hsm)?;
    Ok((hsm, *keys))
}

/// An HSM that goes over from one local master key to another, each of components.
///
/// # Errors
/// See [`LmkError`].
pub fn hsm_between(from: &[PathBuf], to: &[PathBuf]) -> Result<Hsm, LmkError> {
    under(form(to)?, from)
}

fn under(lmk: Lmk, previous: &[PathBuf]) -> Result<Hsm, LmkError> {
    if previous.is_empty() {
        return Ok(Hsm::new(lmk));
    }
    let mut hsm = hsm_of(previous)?;
    hsm.begin_rotation(lmk).map_err(LmkError::Previous)?;
    Ok(hsm)
}

fn form(files: &[PathBuf]) -> Result<Lmk, LmkError> {
    // Not to grow: that would leave copies behind.
    let mut components = Vec::with_capacity(files.len());
    for file in files {
        components.push(component::read(file)?);
    }
    let lmk = Lmk::from_components(&components).map_err(LmkError::Components)?;
    if lmk.is_test() { Err(LmkError::TestLmk) } else { Ok(lmk) }
}
