//! The policies that goroam carries with it; `goroam init` writes them out.
