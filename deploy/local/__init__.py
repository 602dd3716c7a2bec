"""A cloud on one machine: the services that the streaming job talks to, and the job itself."""
