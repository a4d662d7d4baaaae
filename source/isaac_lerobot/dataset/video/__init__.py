"""Pictures into mp4 files and out of them: codec, encoder, decoder, and what an mp4 says of itself."""
