//! Docker, and whatever speaks its API. The only code that names bollard.
