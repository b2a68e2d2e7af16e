//! What this reader does not know. The whole file is then left to the built-in reader.

use std::fmt;

/// Why a file is left to the built-in reader: something in it is unusual, damaged or hostile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusual(pub String);

pub type Result<T> = std::result::Result<T, Unusual>;

impl fmt::Display for Unusual {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<std::io::Error> for Unusual {
    fn from(error: std::io::Error) -> Self {
        Unusual(error.to_string())
    }
}

/// The result for something unusual.
pub fn unusual<T>(what: impl Into<String>) -> Result<T> {
    Err(Unusual(what.into()))
}
