//! The policies that goroam carries with it; `goroam init` writes them out.
/// stub
#[derive(Debug)]
pub enum Template {
    /// stub
    Default,
}
impl Template {
    /// stub
    pub fn text(&self) -> &'static str {
        ""
    }
}
