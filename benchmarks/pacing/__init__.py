"""Four processes on one token: how well each way to share its limits keeps them."""
