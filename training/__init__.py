"""Makes the model file that `transforms.classifiers` ships. Never imported by the pipeline."""
