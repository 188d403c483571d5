//! What an answer is worth that is about a part of the data only.

use crate::domain::finite::Finite;

/// What becomes of a number that is made from a part of the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnPartial {
    /// It is used as it is.
    Use,
    /// It is used if it is above the last one, so that silence never scales down.
    #[default]
    ScaleUpOnly,
    /// It is not used.
    Refuse,
}

impl OnPartial {
    /// Whether a number may be used that is made from a part of the data, after `last`; the error says
    /// why not.
    ///
    /// # Errors
    /// Why not, as the end of a sentence.
    pub fn judge(self, value: Finite, last: Option<Finite>) -> Result<(), String> {
        match (self, last) {
            (Self::Use, _) => Ok(()),
            (Self::ScaleUpOnly, Some(last)) if value > last => Ok(()),
            (Self::ScaleUpOnly, Some(last)) => {
                Err(format!("and {value} of the others is not above the last {last}"))
            }
            (Self::ScaleUpOnly, None) => {
                Err("and there is no earlier value to tell whether it grew".to_owned())
            }
            (Self::Refuse, _) => Err("and the policy refuses a part".to_owned()),
        }
    }
}
