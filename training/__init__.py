"""Makes the model file that ships with `transforms.classifiers`. The job never imports it."""
