//! vendor/modules.txt.
