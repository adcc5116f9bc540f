"""Lists of tasks as columns: this library's two ways to a data frame."""
