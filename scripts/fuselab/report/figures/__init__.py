"""The figures of a report, drawn with matplotlib and seaborn. They show figures that others computed."""
