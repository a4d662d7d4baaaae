"""From chosen keys to LeRobot features."""

from dataclasses import replace

import pytest

from isaac_lerobot.errors import ConfigError, TaskError
from isaac_lerobot.recording import CameraOffer, RecordingConfig, TaskOffer, TermOffer, select
from isaac_lerobot.recording.offer import find_success_term
from isaac_lerobot.recording.selection import default_keys, feature_name, select_keys

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


def default(*terms, **offer):
    """The terms of the state, and the others, that are recorded of a task where nobody chose."""
    task = replace(OFFER, cameras=(), terms=terms, **offer)
    keys = default_keys(task)
    assert select_keys(keys, task).state
    return list(keys.state), list(keys.observations)


def test_of_a_humanoid_joint_positions_are_the_state_and_nothing_gives_the_answer_away():
    """The terms of Isaac Lab's GR1T2 task, as far as they differ in kind."""
    joints = tuple(f"joint_{number}" for number in range(54))
    terms = (
        TermOffer("policy/actions", (36,), function="last_action"),
        TermOffer("policy/robot_joint_pos", (54,), names=joints, function="joint_pos", entity="robot"),
        TermOffer("policy/object_pos", (3,), function="root_pos_w", entity="object"),
        TermOffer("policy/robot_links_state", (56, 13), function="get_all_robot_link_state"),
        TermOffer("policy/hand_joint_state", (22,), names=joints[:22], function="get_robot_joint_state"),
        TermOffer("policy/robot_pov_cam", (16, 16, 3), "uint8", function="image_rgb", entity="robot_pov_cam"),
    )
    state, others = default(*terms)
    assert state == ["policy/robot_joint_pos"]
    assert others == ["policy/object_pos", "policy/hand_joint_state", "policy/robot_pov_cam"]
    seen = replace(OFFER, cameras=(CameraOffer("robot_pov_cam", 16, 16),), terms=terms)
    assert "policy/robot_pov_cam" not in default_keys(seen).observations


def test_what_a_policy_observes_is_recorded_and_no_other_group():
    terms = (
        TermOffer("critic/joint_pos", (2,)),
        TermOffer("policy/joint_vel", (2,)),
        TermOffer("policy/joint_pos", (2,)),
        TermOffer("subtask_terms/grasp", (1,), "bool"),
    )
    assert default(*terms) == (["policy/joint_pos"], ["policy/joint_vel"])


def test_joint_positions_are_looked_for_in_other_groups_too():
    """As Isaac Lab's lift tasks have them."""
    terms = (
        TermOffer("policy/target_pose", (7,), function="generated_commands"),
        TermOffer("proprio/joint_pos", (7,), function="joint_pos", entity="robot"),
        TermOffer("proprio/joint_vel", (7,), function="joint_vel", entity="robot"),
        TermOffer("critic/joint_pos", (7,), function="joint_pos", entity="robot"),
    )
    assert default(*terms) == (["proprio/joint_pos"], ["policy/target_pose"])


def test_of_groups_without_a_policy_the_first_of_each_name_is_recorded():
    terms = (
        TermOffer("arm/joint_pos", (2,)),
        TermOffer("arm/load", (1,)),
        TermOffer("base/load", (1,)),
        TermOffer("base/speed", (1,)),
    )
    assert default(*terms) == (["arm/joint_pos"], ["arm/load", "base/speed"])


def test_joint_positions_are_those_of_the_robots_and_none_twice():
    def positions(term, entity, *names):
        return TermOffer(f"policy/{term}", (len(names),), names=names, function="joint_pos_rel", entity=entity)

    terms = (
        positions("cabinet_joint_pos", "cabinet", "door"),
        positions("left_joint_pos", "left", "j1", "j2"),
        positions("left_gripper_pos", "left", "j2"),
        positions("right_joint_pos", "right", "j1", "j2"),
        TermOffer("policy/joint_pos_target", (2,), function="joint_pos_target", entity="left"),
    )
    state, others = default(*terms, robots=("left", "right"))
    assert state == ["policy/left_joint_pos", "policy/right_joint_pos"]
    assert others == ["policy/cabinet_joint_pos", "policy/left_gripper_pos", "policy/joint_pos_target"]


@pytest.mark.parametrize(
    ("terms", "state"),
    [
        ((TermOffer("policy/pose", (3,)), TermOffer("policy/speed", (1,))), ["policy/pose", "policy/speed"]),
        ((TermOffer("policy/joint_pos", (3,)), TermOffer("policy/state", (9,))), ["policy/state"]),
        ((TermOffer("policy/touches", (1,), "bool"), TermOffer("policy/grid", (2, 3))), []),
        ((TermOffer("policy/obs", (9,)),), ["policy/obs"]),
        ((), []),
    ],
)
def test_without_joint_positions_the_state_is_what_a_policy_observes(terms, state):
    keys = default_keys(replace(OFFER, terms=terms))
    assert list(keys.state) == state
    assert set(keys.observations) == {term.key for term in terms} - set(state)
