//! What is wrong with a data set or its map, and where; never what stood there.
//!
//! Start at [`DataError`].

/// What is wrong with a data set. Line and column are counted from 1, columns as the file has them.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be read.
    #[error("line {line}: the file cannot be read")]
    Read {
        /// The line on which the row begins.
        line: u64,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// A value is not what it should be.
    #[error("line {line}, column {column} ({name}): must be {rule}")]
    Value {
        /// The line on which the row begins.
        line: u64,
        /// The column.
        column: usize,
        /// The column's name.
        name: String,
        /// What it should be.
        rule: &'static str,
    },
    /// The head of the file has no such column.
    #[error("the file has no column {name}, which the map names for {role}; its first line must name {} columns", .columns)]
    NoColumn {
        /// The name.
        name: String,
        /// What it is for.
        role: &'static str,
        /// How many columns there are.
        columns: usize,
    },
    /// A row is earlier than the one before.
    #[error("line {line}, column {column} ({name}): earlier than the row before; sort the file by time")]
    Order {
        /// The line on which the row begins.
        line: u64,
        /// The column.
        column: usize,
        /// The column's name.
        name: String,
    },
    /// There are more cards, terminals or merchants than are counted.
    #[error("line {line}: more than {most} different names of cards, terminals and merchants")]
    TooMany {
        /// The line on which the row begins.
        line: u64,
        /// How many there may be.
        most: usize,
    },
    /// There are more labels than are kept.
    #[error("line {line}: more than {most} labels")]
    TooManyLabels {
        /// The line on which the row begins.
        line: u64,
        /// How many there may be.
        most: usize,
    },
    /// There are no rows.
    #[error("the file has no rows")]
    Empty,
}

/// What is wrong with a map.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// It is not TOML, or has keys that there are not.
    #[error("{0}")]
    Toml(String),
    /// A value is not what it should be.
    #[error("{key}: must be {rule}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it should be.
        rule: &'static str,
    },
    /// The rules count by something that the data does not have.
    #[error("the rules ask for {window}, and the map names no column for {column}")]
    Window {
        /// What they ask for.
        window: String,
        /// The fact without a column.
        column: &'static str,
    },
}
