//! Choosing and holding, case by case.
