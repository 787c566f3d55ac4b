//! What an adapter keeps of each symbol besides what the desk does.

use super::SymbolId;

/// A `T` of each symbol, as it is by default until it is touched. It grows to the highest symbol
/// touched, so it is bounded as the desk's symbols are.
#[derive(Debug)]
pub struct BySymbol<T>(Vec<T>);

impl<T> Default for BySymbol<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> BySymbol<T> {
    /// That of one symbol.
    #[inline]
    pub fn of(&mut self, id: SymbolId) -> &mut T {
        let at = id.0 as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, T::default);
        }
        &mut self.0[at]
    }

    /// Those that were touched, and those of lower symbols.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SymbolId, &mut T)> {
        self.0.iter_mut().enumerate().map(|(at, of)| (SymbolId(at as u32), of))
    }

    /// All are as by default again.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_touched_is_as_by_default() {
        let mut table = BySymbol::<u8>::default();
        *table.of(SymbolId(2)) = 7;
        assert_eq!((*table.of(SymbolId(2)), *table.of(SymbolId(0))), (7, 0));
        let all: Vec<_> = table.iter_mut().map(|(id, of)| (id.0, *of)).collect();
        assert_eq!(all, [(0, 0), (1, 0), (2, 7)]);
        table.clear();
        assert_eq!(*table.of(SymbolId(2)), 0);
    }
}
