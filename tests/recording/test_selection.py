"""From chosen keys to LeRobot features."""

from dataclasses import replace

import pytest

from isaac_lerobot.errors import ConfigError, TaskError
from isaac_lerobot.recording import CameraOffer, RecordingConfig, TaskOffer, TermOffer, select
from isaac_lerobot.recording.offer import find_success_term
from isaac_lerobot.recording.selection import feature_name

OFFER = TaskOffer(
    task="Pick-v0",
    fps=30,
    num_envs=1,
    action_names=("arm.j1", "arm.j2", "gripper"),
    cameras=(CameraOffer("front", 120, 160), CameraOffer("wrist", 60, 80)),
    terms=(
        TermOffer("policy/joint_pos", (2,), names=("j1", "j2")),
        TermOffer("policy/joint_vel", (2,)),
        TermOffer("policy/gripper", (1,)),
        TermOffer("policy/contact", (1,), dtype="bool"),
        TermOffer("policy/grid", (2, 3)),
        TermOffer("policy/front", (120, 160, 3), dtype="uint8"),
        TermOffer("privileged/joint_vel", (2,)),
    ),
)


def chosen(**values):
    return select(RecordingConfig.from_mapping(values), OFFER)


def test_a_vector_is_not_named_as_if_it_were_a_picture():
    assert feature_name("image_features", is_picture=False) == "observation.img_features"
    assert feature_name("images", is_picture=False) == "observation.imgs"
    assert feature_name("image_rgb", is_picture=True) == "observation.images.image_rgb"


def test_state_keys_are_concatenated_in_their_order_with_a_name_per_element():
    features = chosen(state_keys=["policy/gripper", "policy/joint_pos", "policy/joint_vel"]).features
    assert features["observation.state"] == {
        "dtype": "float32",
        "shape": (5,),
        "names": ["gripper", "joint_pos.j1", "joint_pos.j2", "joint_vel.0", "joint_vel.1"],
    }
    assert features["action"] == {"dtype": "float32", "shape": (3,), "names": ["arm.j1", "arm.j2", "gripper"]}


def test_observation_keys_keep_shape_and_dtype():
    features = chosen(observation_keys=["policy/contact", "policy/grid"], cameras=[]).features
    assert features["observation.contact"] == {"dtype": "bool", "shape": (1,), "names": ["contact"]}
    assert features["observation.grid"] == {"dtype": "float32", "shape": (2, 3), "names": None}
    assert "observation.state" not in features


def test_cameras_default_to_all_and_can_be_chosen():
    every = chosen(state_keys=["policy/joint_pos"])
    assert list(every.cameras) == ["observation.images.front", "observation.images.wrist"]
    assert every.features["observation.images.wrist"]["shape"] == (60, 80, 3)
    assert list(chosen(state_keys=["policy/joint_pos"], cameras=["wrist"]).cameras) == ["observation.images.wrist"]
    assert not chosen(state_keys=["policy/joint_pos"], cameras=[]).cameras


def test_picture_terms_become_videos():
    selection = chosen(observation_keys=["policy/front"], cameras=["wrist"])
    assert selection.features["observation.images.front"]["dtype"] == "video"
    assert list(selection.pictures) == ["observation.images.front"]


def test_nothing_chosen_says_what_there_is():
    with pytest.raises(ConfigError, match=r"Neither state_keys nor observation_keys.*policy/joint_pos"):
        chosen(cameras=["front"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state_keys": ["policy/joint_poss"]}, ["policy/joint_poss", "policy/joint_pos"]),
        ({"observation_keys": ["joint_pos"]}, ["'joint_pos'", "policy/joint_pos"]),
        ({"state_keys": ["policy/joint_pos"], "cameras": ["frnt"]}, ["frnt", "front"]),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(values, words):
    with pytest.raises(TaskError) as caught:
        chosen(**values)
    assert all(word in str(caught.value) for word in words)


def test_a_task_without_cameras_says_so():
    config = RecordingConfig.from_mapping({"state_keys": ["policy/joint_pos"], "cameras": ["front"]})
    with pytest.raises(TaskError, match=r"no camera 'front'\. There are none"):
        select(config, replace(OFFER, cameras=()))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"observation_keys": ["policy/joint_vel", "privileged/joint_vel"]}, ["policy/joint_vel", "privileged"]),
        ({"observation_keys": ["policy/front"], "cameras": ["front"]}, ["policy/front", "camera 'front'"]),
        ({"state_keys": ["policy/front"]}, ["policy/front", "picture"]),
        ({"state_keys": ["policy/gripper", "policy/gripper"]}, ["policy/gripper", "more than once"]),
    ],
)
def test_what_cannot_be_recorded_names_both_sides(values, words):
    with pytest.raises(ConfigError) as caught:
        chosen(**values)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("terminations", "asked", "found"),
    [
        (["time_out", "success"], None, "success"),
        (["time_out", "task_success"], None, "task_success"),
        (["reach_success", "success"], None, "success"),
        (["reach_success", "lift_success"], None, "reach_success"),
        (["reach_success", "lift_success"], "lift_success", "lift_success"),
        (["time_out", "placed"], "placed", "placed"),
        (["time_out", "succeeded"], None, None),
        ([], None, None),
    ],
)
def test_the_success_term_is_the_one_asked_for_else_one_that_is_called_so(terminations, asked, found):
    assert find_success_term("Pick-v0", terminations, asked) == found


@pytest.mark.parametrize(
    ("terminations", "asked", "words"),
    [
        (["time_out", "task_success", "reach_success"], "success", "Did you mean 'task_success' or 'reach_success'?"),
        (["time_out", "placed"], "place", "Did you mean 'placed'?"),
        ([], "success", "There are none."),
    ],
)
def test_a_wrong_success_term_is_answered_with_the_candidates(terminations, asked, words):
    with pytest.raises(TaskError) as caught:
        find_success_term("Pick-v0", terminations, asked)
    assert str(caught.value) == f"success_term: Pick-v0 has no termination term '{asked}'. {words}"


def test_another_success_term_than_the_loaded_one_is_refused():
    config = RecordingConfig.from_mapping({"state_keys": ["policy/joint_pos"], "success_term": "placed"})
    assert select(config, replace(OFFER, success_term="placed")).state
    with pytest.raises(ConfigError, match=r"success_term is 'placed', and Pick-v0 was loaded with success\. Load it"):
        select(config, replace(OFFER, success_term="success"))
