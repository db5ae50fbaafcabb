//! `cardswitch serve`: the switch itself, until SIGTERM or SIGINT.

use std::{path::PathBuf, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, descriptors};
use crate::{
    app::{self, AppError, Running},
    cli::progress::Progress,
    config::{Config, LogFormat, LogLevel},
    journal, keys,
    telemetry::logging::{self, Format},
    wipe,
};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch serve --config fixtures/city/cardswitch.toml\n  CARDSWITCH__POS__LISTEN=127.0.0.1:0 \
                  cardswitch serve --config city/cardswitch.toml --data /var/lib/cardswitch\n\nThe ports in use are \
                  written to ports.json in the data folder. SIGTERM stops accepting, answers what is under way, syncs, \
                  saves a checkpoint and exits 0."
)]
pub(super) struct Args {
    /// The configuration file
    #[arg(long)]
    config: PathBuf,
    /// The data folder, instead of the configured one
    #[arg(long)]
    data: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut config = Config::from_file_and_env(&args.config).map_err(|error| Failure::usage(&error))?;
    if let Some(data) = &args.data {
        config.data.dir.clone_from(data);
    }
    let looked_at = look_at_keys(&config);
    wipe::deep_stack();
    looked_at?;
    start_logging(&config);
    // Whoever reads ports.json may send SIGTERM at once; it must find its handler.
    let mut signals = Signals::register().map_err(|error| failure(&error))?;
    descriptors::provide(config.connections()).map_err(|error| Failure::usage(&error))?;
    abort_on_panic();
    let mut progress = Progress::new("records").logged();
    let running = app::start(&config, &mut progress.callback()).map_err(|error| failure(&error))?;
    drop(progress);
    signals.wait(&running);
    running.stop().map_err(|error| failure(&error))
}

/// Before anything opens, so that bad keys are a usage error also when the journal needs none of them.
#[inline(never)] // So that its caller can overwrite the stack it has used: what is moved leaves its bytes behind.
fn look_at_keys(config: &Config) -> Result<(), Failure> {
    keys::open(&config.hsm).map(drop).map_err(|error| Failure::usage(&error))
}

/// A port that cannot be opened and a city at fault are for the operator to correct, like the configuration.
fn failure(error: &AppError) -> Failure {
    use crate::{
        keys::rewrap::RewrapError::{OtherLmk, TestBooks},
        notices::NoticesError::{Contacts, File, Key},
        recovery::RecoveryError::{City, Genesis, Rewrap},
    };
    match error {
        AppError::Listen { .. }
        | AppError::Lmk(_)
        | AppError::Notices(Contacts { .. } | File { .. } | Key(_))
        | AppError::Recovery(City(_) | Genesis(_) | Rewrap(OtherLmk(_) | TestBooks)) => Failure::usage(error),
        _ => Failure::of(error),
    }
}

fn start_logging(config: &Config) {
    let level = match config.log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // The store's own chatter is for its authors.
    logging::start(
        &format!("{level},sled=warn"),
        match config.log.format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        },
    );
}

/// A panic anywhere ends the process: a switch without one of its threads must not linger, and what
/// is durable is recovered at the next start. The store's own panics over damaged files are caught where they happen.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if !journal::catches_store_panics() {
            std::process::abort();
        }
    }));
}

/// SIGTERM and SIGINT. One that comes during the start counts once the start is over.
struct Signals {
    runtime: tokio::runtime::Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn register() -> Result<Self, AppError> {
        let system = |error: std::io::Error| AppError::System(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
        let context = runtime.enter();
        let terminate = signal(SignalKind::terminate()).map_err(system)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(system)?;
        drop(context);
        Ok(Self { runtime, terminate, interrupt })
    }

    /// Returns when a signal comes, or when a thread without which nothing is served has ended.
    fn wait(&mut self, running: &Running) {
        let Self { runtime, terminate, interrupt } = self;
        let ended = async {
            while !running.has_ended() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
                _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
                () = ended => tracing::error!("a thread of the switch has ended; stopping"),
            }
        });
    }
}
