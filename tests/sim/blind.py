"""The demo task without its cameras, which take most of the time of a step."""

WITHOUT_PICTURES = {
    "scene.front": None,
    "scene.wrist": None,
    "observations.policy.front_rgb": None,
    "observations.policy.wrist_rgb": None,
}
"""Overrides for ``make_env``."""

HAND_WITHOUT_PICTURES = {
    "scene.shoulder": None,
    "scene.wrist": None,
    "observations.policy.shoulder_rgb": None,
    "observations.policy.wrist_rgb": None,
}
