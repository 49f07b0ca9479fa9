"""The labelling config: XML of Label Studio and Generative AI Lab."""
