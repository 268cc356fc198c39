"""Files: archives, replacement as a whole, arrays and text of other makers."""
