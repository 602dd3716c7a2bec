"""The accurate classifier: reads doubtful messages again with a sentence encoder."""
