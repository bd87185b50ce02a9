"""Images of radio sources and where their pixels lie on the sky."""
