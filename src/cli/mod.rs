//! The faces: arguments in, text or JSON out, exit codes. One file a verb.
