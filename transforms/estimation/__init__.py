"""What turns counts into estimates: error rates of the classifiers. No Beam here."""
