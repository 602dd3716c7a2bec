"""Labels that people give to conversations: files of labels, and the page on which they are made.

The page shows text. So nothing here logs a request, writes text to a file that the operator did not
name, or puts text into an exception.
"""
