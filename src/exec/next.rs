//! After an attempt: the end, the same step again, or the next one. Pure.

use std::time::Duration;

use super::classify::Class;

/// The first wait for a busy server that does not say how long; then twice as long each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// That was it: it went well, or another step would not help.
    End,
    /// The same step after this time.
    Again(Duration),
    /// The next step at once.
    Step,
}

/// How long busy servers are still waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryBudget {
    /// What is left of `--retry-budget`.
    left: Duration,
    wait: Duration,
    /// The command has been run again for a busy server.
    again: bool,
}

impl RetryBudget {
    pub(super) fn new(budget: Duration) -> RetryBudget {
        RetryBudget {
            left: budget,
            wait: FIRST_WAIT,
            again: false,
        }
    }

    /// A new step: its server is another one.
    pub(super) fn on_a_new_step(&mut self) {
        self.wait = FIRST_WAIT;
        self.again = false;
    }

    /// `asked`: what Retry-After said. `ran`: how long the run took; the first one would have
    /// taken that anyway.
    fn wait(&mut self, asked: Option<Duration>, ran: Duration) -> Option<Duration> {
        if std::mem::replace(&mut self.again, true) {
            self.left = self.left.saturating_sub(ran);
        }
        // A server that says 0 is not to be asked in a tight circle.
        let wait = asked.map_or(self.wait, |asked| asked.max(FIRST_WAIT));
        self.left = self.left.checked_sub(wait)?;
        self.wait *= 2;
        Some(wait)
    }
}

/// What to do after this.
pub(super) fn next(
    class: Class,
    asked: Option<Duration>,
    ran: Duration,
    patience: &mut RetryBudget,
) -> NextStep {
    if class == Class::Busy {
        let wait = patience.wait(asked, ran);
        wait.map_or(NextStep::Step, NextStep::Again)
    } else if class.is_of_the_network() {
        NextStep::Step
    } else {
        // Never another source, never a second try: a person has to look at it.
        NextStep::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_server_is_waited_for_within_the_budget() {
        let mut patience = RetryBudget::new(Duration::from_secs(8));
        let mut ask = |asked| next(Class::Busy, asked, Duration::ZERO, &mut patience);
        let second = Duration::from_secs(1);
        assert_eq!(ask(None), NextStep::Again(second));
        assert_eq!(ask(None), NextStep::Again(2 * second));
        assert_eq!(ask(Some(Duration::ZERO)), NextStep::Again(second));
        assert_eq!(ask(Some(5 * second)), NextStep::Step, "only 4 s are left");
        let mut none = RetryBudget::new(Duration::ZERO);
        assert_eq!(next(Class::Busy, None, second, &mut none), NextStep::Step);
        let mut patience = RetryBudget::new(60 * second);
        next(Class::Busy, None, second, &mut patience);
        patience.on_a_new_step();
        let again = next(Class::Busy, None, second, &mut patience);
        assert_eq!(again, NextStep::Again(second));
    }

    #[test]
    fn the_runs_for_a_busy_server_count_but_the_first() {
        let second = Duration::from_secs(1);
        let mut patience = RetryBudget::new(10 * second);
        let mut ask = |ran| next(Class::Busy, Some(second), ran, &mut patience);
        assert_eq!(ask(100 * second), NextStep::Again(second), "9 s are left");
        assert_eq!(ask(5 * second), NextStep::Again(second), "3 s are left");
        assert_eq!(ask(5 * second), NextStep::Step);
    }

    #[test]
    fn what_is_wrong_with_the_code_or_a_checksum_ends_it() {
        let mut patience = RetryBudget::new(Duration::from_secs(60));
        for class in [Class::Ok, Class::Code, Class::Mismatch] {
            let next = next(class, None, Duration::ZERO, &mut patience);
            assert_eq!(next, NextStep::End);
        }
        for class in [Class::Timeout, Class::Stalled, Class::Auth, Class::Portal] {
            let next = next(class, None, Duration::ZERO, &mut patience);
            assert_eq!(next, NextStep::Step);
        }
    }
}
