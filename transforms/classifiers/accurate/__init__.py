"""The accurate classifier: a sentence encoder reads doubtful messages a second time."""
