//! What the view shows: the last figures, the minutes behind them, and whether the switch is there.
//!
//! Pure: samples and failures in, with the time they came; nothing is asked and nothing drawn here. Start at
//! [`Watch::take`].

use std::{collections::VecDeque, time::Instant};

use super::interval::{Figures, Quantile, Sample, restarted};

/// Points kept: at the default interval, ten minutes.
const POINTS_MAX: usize = 600;

/// One switch, watched.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// What it is called in the title.
    pub(super) place: String,
    /// The last interval's; of before the switch went away, if it has.
    pub(super) figures: Option<Figures>,
    /// One point an interval, the newest last; none where the switch was not there.
    pub(super) points: VecDeque<Option<Point>>,
    /// How many points there ever were, with those no longer kept.
    pub(super) points_total: usize,
    /// Since when there is no answer, and why.
    pub(super) gone: Option<Gone>,
    /// When it was seen that the switch had begun anew.
    pub(super) restarted: Option<Instant>,
    last: Option<Sample>,
    /// Nothing was heard between the last sample and now, so no figures may be made of it.
    gap: bool,
}

/// One interval in the line of minutes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Answers a second.
    pub(super) answers: f64,
    /// Their p99 in seconds, or the last bound if it is above it.
    pub(super) p99: Option<f64>,
}

/// The switch does not answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Gone {
    pub(super) since: Instant,
    pub(super) why: String,
}

impl Watch {
    /// Nothing known yet of the switch at this place.
    pub(super) fn new(place: String) -> Self {
        Self {
            place,
            figures: None,
            points: VecDeque::new(),
            points_total: 0,
            gone: None,
            restarted: None,
            last: None,
            gap: false,
        }
    }

    /// Takes a sample in.
    pub(super) fn take(&mut self, sample: Sample) {
        self.gone = None;
        if let Some(last) = &self.last {
            if restarted(&last.page, &sample.page) {
                self.restarted = Some(sample.at);
            }
            // Over a gap a rate would be of minutes in which the switch may not have been there.
            if !self.gap
                && let Some(figures) = Figures::between(last, &sample)
            {
                self.push(Some(Point::of(&figures)));
                self.figures = Some(figures);
            }
        }
        self.gap = false;
        self.last = Some(sample);
    }

    /// Takes in that there was no answer.
    pub(super) fn miss(&mut self, why: String, at: Instant) {
        let since = self.gone.as_ref().map_or(at, |gone| gone.since);
        self.gone = Some(Gone { since, why });
        self.gap = true;
        self.push(None);
    }

    fn push(&mut self, point: Option<Point>) {
        if self.points.len() == POINTS_MAX {
            self.points.pop_front();
        }
        self.points.push_back(point);
        self.points_total += 1;
    }
}

impl Point {
    fn of(figures: &Figures) -> Self {
        let p99 = figures.answer.quantile(0.99).map(|quantile| match quantile {
            Quantile::Near(value) | Quantile::Above(value) => value,
        });
        Self { answers: figures.answers_per_second(), p99 }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;
    use crate::{
        cli::top::testing::{busy, sample},
        clock::stopwatch,
    };

    #[test]
    fn a_switch_that_goes_away_comes_back_by_itself() {
        let first = stopwatch();
        let mut watch = Watch::new("here".into());
        watch.take(sample(first, 0, &busy(50)));
        assert!(watch.figures.is_none(), "one sample is no interval");
        watch.take(sample(first, 1, &busy(51)));
        assert_eq!(watch.figures.as_ref().unwrap().answers_per_second().round(), 101.0);

        for second in 2..5 {
            watch.miss("refused".into(), first + Duration::from_secs(second));
        }
        let gone = watch.gone.clone().unwrap();
        assert_eq!((gone.since - first, gone.why.as_str()), (Duration::from_secs(2), "refused"));
        assert!(watch.figures.is_some(), "the last figures stay to be looked at");

        watch.take(sample(first, 6, &busy(1)));
        assert!(watch.gone.is_none() && watch.restarted == Some(first + Duration::from_secs(6)));
        assert_eq!(watch.points.len(), 4, "no point is made over the gap");
        watch.take(sample(first, 7, &busy(3)));
        assert_eq!(watch.figures.as_ref().unwrap().answers_per_second().round(), 202.0);
        let there: Vec<bool> = watch.points.iter().map(Option::is_some).collect();
        assert_eq!(there, [true, false, false, false, true]);
    }

    #[test]
    fn the_minutes_kept_have_an_end() {
        let first = stopwatch();
        let mut watch = Watch::new("here".into());
        for second in 0..700 {
            watch.take(sample(first, second, &busy(second + 1)));
        }
        assert_eq!(watch.points.len(), POINTS_MAX);
    }
}
