//! Which of the latest executions came already, by the venue's consecutive numbers.

/// The newest number and which of the 64 before it came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct IdWindow {
    newest: Option<u64>,
    /// Bit `n` stands for `newest - n`.
    seen: u64,
}

/// What a number is, beside those that came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// Not met before: the next one, or one that was overtaken.
    New,
    /// Not met before, and some before it did not come.
    AfterMissing,
    /// Met before.
    Again,
}

impl IdWindow {
    /// Notes the numbers from `first` to `last`, which come together.
    pub(super) fn take(&mut self, first: u64, last: u64) -> Met {
        let covered = match last.saturating_sub(first) {
            // More than the window holds.
            63.. => u64::MAX,
            length => (1 << (length + 1)) - 1,
        };
        let begin = |window: &mut Self| (window.newest, window.seen) = (Some(last), covered);
        let Some(newest) = self.newest else {
            begin(self);
            return Met::New;
        };
        if last > newest {
            let missing = first > newest + 1;
            let by = last - newest;
            let before = if by < 64 { self.seen << by } else { 0 };
            self.seen = before | covered;
            self.newest = Some(last);
            return if missing { Met::AfterMissing } else { Met::New };
        }
        let back = newest - last;
        if back >= 64 {
            // Nothing overtakes by so much: the venue has begun to count anew.
            begin(self);
            return Met::AfterMissing;
        }
        let again = self.seen >> back & 1 == 1;
        self.seen |= covered << back;
        if again { Met::Again } else { Met::New }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_new_once() {
        let mut ids = IdWindow::default();
        for (first, last, met) in [
            (10, 10, Met::New),
            (11, 11, Met::New),
            (11, 11, Met::Again),
            // 12 is overtaken by 13, and comes later.
            (13, 13, Met::AfterMissing),
            (12, 12, Met::New),
            (12, 12, Met::Again),
            (14, 16, Met::New),
            (15, 15, Met::Again),
            (17, 200, Met::New),
            (137, 137, Met::Again),
            (300, 300, Met::AfterMissing),
            (299, 299, Met::New),
            // Far back: counted anew.
            (5, 5, Met::AfterMissing),
            (6, 6, Met::New),
            (u64::MAX, u64::MAX, Met::AfterMissing),
            (u64::MAX, u64::MAX, Met::Again),
            (0, u64::MAX, Met::Again),
        ] {
            assert_eq!(ids.take(first, last), met, "{first}..={last}");
        }
    }
}
