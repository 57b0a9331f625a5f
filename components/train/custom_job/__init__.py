"""The train step as a custom job of Vertex AI, where a pipeline itself could not ask for TPUs.

`python -m components.train.custom_job` stands in for the step, in the small image: it creates the
job that runs the step's own container, and follows it. It writes nothing of the step's outputs:
the job does, at the very places that the pipeline gave the step. Light.
"""
