//! A rule's text as a tree: what was written, with where it stands, before anything is known about types.
//!
//! Trees are compared by what they say, not by where they stand. Chains of `&&` and of `||` are flat lists, and a
//! minus in front of a number is part of it, so that a tree has one form.
//!
//! Start at [`Expr`].

/// Bytes of the text, from `start` up to `end`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

/// A piece of a rule's text.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Where it stands, parentheses around it included.
    pub span: Span,
    /// What it says.
    pub kind: Kind,
}

/// What a piece of text says.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A text in quotes.
    Text(String),
    /// A name, with its dots.
    Name(String),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `name(a, b)`.
    Call(String, Vec<Expr>),
    /// `!a`.
    Not(Box<Expr>),
    /// `-a`.
    Negate(Box<Expr>),
    /// `a + b` and the like.
    Calc(Calc, Box<Expr>, Box<Expr>),
    /// `a < b` and the like.
    Compare(Compare, Box<Expr>, Box<Expr>),
    /// `a in b`.
    In(Box<Expr>, Box<Expr>),
    /// `a && b && c`.
    All(Vec<Expr>),
    /// `a || b || c`.
    Any(Vec<Expr>),
}

/// Arithmetic.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Calc {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`, toward zero
    Divide,
    /// `%`, with the sign of the left side
    Remainder,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Compare {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// A comment of a rule's text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Comment {
    /// Where it stands, from its slashes on.
    pub span: Span,
    /// What it says, without slashes and the spaces around.
    pub text: String,
    /// Whether something else stands in front of it on its line.
    pub behind: bool,
}

/// A whole text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What it says.
    pub expr: Expr,
    /// Its comments, in order.
    pub comments: Vec<Comment>,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Span {
    /// From the beginning of one to the end of the other.
    #[must_use]
    pub fn to(self, end: Self) -> Self {
        Self { start: self.start, end: end.end }
    }
}

impl Calc {
    /// As it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

impl Compare {
    /// As it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether it is about being equal alone, not about order.
    #[must_use]
    pub fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::Unequal)
    }

    /// What holds where this does not.
    pub(super) fn inverse(self) -> Self {
        match self {
            Self::Equal => Self::Unequal,
            Self::Unequal => Self::Equal,
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::AtLeast => Self::Less,
        }
    }

    /// What holds of the two sides when they are exchanged.
    pub(super) fn exchanged(self) -> Self {
        match self {
            Self::Equal | Self::Unequal => self,
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
        }
    }

    /// Whether it holds.
    pub(super) fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}
