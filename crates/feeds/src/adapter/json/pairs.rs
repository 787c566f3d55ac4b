//! Pairs of decimals: what the levels of a book are, as lists or as objects.

use market::Decimal;

use super::{JsonError, Reader, Result};

impl Reader<'_> {
    /// Reads a pair of decimals, `["64000.10","0.25"]`, and skips what follows them in the list.
    ///
    /// # Errors
    /// Where the text is no such list.
    #[inline(always)]
    pub fn pair(&mut self) -> Result<(Decimal, Decimal)> {
        self.counted_pair().map(|(pair, _)| pair)
    }

    /// As [`Reader::pair`], but of a list with exactly so many elements: where there are more than
    /// two, a pair is found in what is left of it too.
    ///
    /// # Errors
    /// Where the text is no such list.
    #[inline]
    pub fn pair_of(&mut self, elements: usize) -> Result<(Decimal, Decimal)> {
        let (pair, found) = self.counted_pair()?;
        if found == elements { Ok(pair) } else { Err(self.wrong("as many elements as ever")) }
    }

    #[inline(always)]
    fn counted_pair(&mut self) -> Result<((Decimal, Decimal), usize)> {
        let mut elements = 2;
        self.take(b'[', "a list of price and size")?;
        let first = self.decimal()?;
        self.take(b',', "a comma")?;
        let second = self.decimal()?;
        while self.peek() == Some(b',') {
            self.at += 1;
            elements += 1;
            self.skip()?;
        }
        self.take(b']', "the end of the list")?;
        Ok(((first, second), elements))
    }

    /// Reads an object for its decimals of these two names, `{"price":64000.10,"qty":0.25}`, and
    /// skips all other members.
    ///
    /// # Errors
    /// Where the text is no such object, or has only one of them.
    #[inline(always)]
    pub fn named_pair(&mut self, names: [&str; 2]) -> Result<(Decimal, Decimal)> {
        let start = self.at;
        if self.literal(b"{") && self.key(names[0]) {
            let first = self.decimal()?;
            if self.literal(b",") && self.key(names[1]) {
                let second = self.decimal()?;
                if self.literal(b"}") {
                    return Ok((first, second));
                }
            }
        }
        self.at = start;
        self.any_named_pair(names)
    }

    #[cold]
    fn any_named_pair(&mut self, names: [&str; 2]) -> Result<(Decimal, Decimal)> {
        let start = self.at;
        let mut found = [None, None];
        self.object(|reader, key| {
            match names.iter().position(|name| *name == key) {
                Some(which) => found[which] = Some(reader.decimal()?),
                None => reader.skip()?,
            }
            Ok(())
        })?;
        match found {
            [Some(first), Some(second)] => Ok((first, second)),
            _ => Err(JsonError { at: start, expected: "an object with price and size" }),
        }
    }
}
