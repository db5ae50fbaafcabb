//! The kinds of attack, and which counters of the switch each must move.

/// One kind of attack.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Random bytes, half of them behind a right length.
    RandomBytes,
    /// Real frames with bits flipped, ends cut off or added, parts exchanged, behind a right length.
    MutatedFrames,
    /// Frames begun: then the connection is closed, or held.
    HalfFrames,
    /// A byte a second on hundreds of connections.
    OneByteASecond,
    /// Requests without end, and no answer is read.
    SlowReaders,
    /// Connections opened and closed at once, half of them by a reset.
    ConnectAndClose,
    /// As many connections as the switch's limit and more, silent.
    ConnectAndHold,
    /// Sign-ins for terminals that exist and that do not.
    SignIns,
    /// Echoes and empty frames.
    KeepAlives,
    /// Lengths of zero, of the maximum, and above it.
    Lengths,
    /// Requests that were recorded on the line.
    Replays,
    /// The admin port: half requests, endless headers, many connections.
    AdminPort,
    /// All of them at once.
    Together,
}

/// A counter of the switch; with a label, that one alone.
pub type Counter = (&'static str, Option<(&'static str, &'static str)>);

const DROPPED: &str = "cardswitch_frames_dropped_total";
const ANSWERS: &str = "cardswitch_answers_total";
const DISCONNECTS: &str = "cardswitch_disconnects_total";

impl Kind {
    /// Every kind, in the order in which they are waged.
    pub const ALL: [Self; 13] = [
        Self::RandomBytes,
        Self::MutatedFrames,
        Self::HalfFrames,
        Self::OneByteASecond,
        Self::SlowReaders,
        Self::ConnectAndClose,
        Self::ConnectAndHold,
        Self::SignIns,
        Self::KeepAlives,
        Self::Lengths,
        Self::Replays,
        Self::AdminPort,
        Self::Together,
    ];

    /// One word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RandomBytes => "random-bytes",
            Self::MutatedFrames => "mutated-frames",
            Self::HalfFrames => "half-frames",
            Self::OneByteASecond => "one-byte-a-second",
            Self::SlowReaders => "slow-readers",
            Self::ConnectAndClose => "connect-and-close",
            Self::ConnectAndHold => "connect-and-hold",
            Self::SignIns => "sign-ins",
            Self::KeepAlives => "keep-alives",
            Self::Lengths => "lengths",
            Self::Replays => "replays",
            Self::AdminPort => "admin-port",
            Self::Together => "together",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What [`Kind::Together`] is made of.
    pub fn parts() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| *kind != Self::Together)
    }

    /// Whether every frame it throws is whole and its connections end in good order, so that the switch must have
    /// counted each.
    #[must_use]
    pub fn is_well_framed(self) -> bool {
        matches!(self, Self::MutatedFrames | Self::SignIns | Self::KeepAlives | Self::Replays)
    }

    /// What must rise while it is waged, or the switch does not count what was thrown at it. Of connections that it
    /// closed itself the cause may be any: which one is the switch's to choose.
    #[must_use]
    pub fn must_move(self) -> &'static [Counter] {
        match self {
            Self::RandomBytes => &[
                (DROPPED, None),
                (DISCONNECTS, Some(("why", "not_a_length"))),
                (DISCONNECTS, Some(("why", "frame_too_long"))),
            ],
            Self::MutatedFrames => &[
                (DROPPED, Some(("why", "undecodable"))),
                (ANSWERS, Some(("reason", "format_error"))),
                (ANSWERS, Some(("reason", "mac_failed"))),
            ],
            Self::HalfFrames => &[(DISCONNECTS, Some(("why", "peer")))],
            Self::OneByteASecond | Self::ConnectAndClose | Self::ConnectAndHold => {
                &[("cardswitch_connections_total", None)]
            }
            Self::SlowReaders => &[(DISCONNECTS, Some(("why", "outbox_full")))],
            Self::SignIns => &[
                ("cardswitch_requests_total", Some(("kind", "sign_in"))),
                (ANSWERS, Some(("reason", "terminal_unknown"))),
            ],
            Self::KeepAlives => &[
                ("cardswitch_requests_total", Some(("kind", "echo"))),
                (DROPPED, Some(("why", "too_short"))),
            ],
            Self::Lengths => {
                &[(DROPPED, Some(("why", "too_short"))), (DISCONNECTS, Some(("why", "frame_too_long")))]
            }
            Self::Replays => &[("cardswitch_repeats_total", None)],
            Self::AdminPort => &[("cardswitch_admin_connections_closed_total", None)],
            Self::Together => {
                &[(DROPPED, None), (DISCONNECTS, None), (ANSWERS, Some(("reason", "mac_failed")))]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_no_other() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
        assert_eq!(Kind::named("everything"), None);
        assert_eq!(Kind::parts().count(), Kind::ALL.len() - 1);
    }
}
