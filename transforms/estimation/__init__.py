"""Error rates of the classifiers, which turn counts into estimates. No Beam here."""
