"""Pictures of computational graphs.

svg       boxes and edges as an SVG picture
layered   where they stand in it
tape      the graph behind a tensor
program   a captured program
"""
