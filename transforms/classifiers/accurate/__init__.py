"""The accurate classifier: a sentence encoder reads every human message."""
