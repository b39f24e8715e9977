//! Empty: this package exists only for its dependencies' features.
