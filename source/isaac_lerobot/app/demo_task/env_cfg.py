"""Configuration of the demo task: scene, actions, observations, resets and terminations."""

from __future__ import annotations

import math

import isaaclab.sim as sim_utils
import torch
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg, AssetBaseCfg, RigidObjectCfg
from isaaclab.controllers import DifferentialIKControllerCfg
from isaaclab.envs import ManagerBasedRLEnvCfg, mdp
from isaaclab.managers import EventTermCfg, ObservationGroupCfg, ObservationTermCfg, SceneEntityCfg
from isaaclab.managers import TerminationTermCfg as DoneTermCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sensors import CameraCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from isaaclab.utils.math import quat_from_matrix
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg
from isaaclab_newton.renderers import NewtonWarpRendererCfg

from isaac_lerobot.app.demo_task import TASK_DESCRIPTION
from isaac_lerobot.app.demo_task import mdp as task_mdp
from isaac_lerobot.app.demo_task.arm_usd import arm_usd_path
from isaac_lerobot.app.demo_task.geometry import ARM_JOINTS, FINGER_JOINTS, FLANGE, HAND, MAX_OPENING

CUBE_SIZE = 0.04
"""Edge of the cube [m]."""

LIFT_HEIGHT = 0.08
"""The task is done when the cube's centre is held this far above the table [m]."""

IMAGE_WIDTH = 160
IMAGE_HEIGHT = 120
"""Default size of both cameras' pictures [px]; :meth:`PickCubeEnvCfg.set_image_size` changes it."""

HOME = {
    "shoulder_pan": 0.0,
    "shoulder_lift": 0.0,
    "elbow_flex": 1.75,
    "wrist_flex": math.pi - 1.75,
    "wrist_roll": 0.0,
    "finger_.*": MAX_OPENING / 2.0,
}
"""Joint positions at the start of an episode [rad, m]."""

Vec3 = tuple[float, float, float]

_SKY = (0.87, 0.91, 0.95)


def _camera(prim_path: str, offset: CameraCfg.OffsetCfg, focal_length: float) -> CameraCfg:
    return CameraCfg(
        prim_path=prim_path,
        offset=offset,
        width=IMAGE_WIDTH,
        height=IMAGE_HEIGHT,
        data_types=["rgb"],
        background_color=_SKY,
        spawn=sim_utils.PinholeCameraCfg(focal_length=focal_length, clipping_range=(0.01, 20.0)),
        renderer_cfg=NewtonWarpRendererCfg(enable_shadows=True, use_cuda_graph=False),
        update_latest_camera_pose=True,
    )


def _looking(eye: Vec3, target: Vec3, up: Vec3) -> CameraCfg.OffsetCfg:
    """The pose of a camera at ``eye`` that sees ``target`` in the centre of its picture, in its parent's frame."""
    forward = torch.nn.functional.normalize(torch.tensor(target) - torch.tensor(eye), dim=0)
    left = torch.nn.functional.normalize(torch.linalg.cross(torch.tensor(up), forward), dim=0)
    axes = torch.stack((forward, left, torch.linalg.cross(forward, left)), dim=1)
    quaternion = quat_from_matrix(axes)
    return CameraCfg.OffsetCfg(pos=eye, rot=tuple(quaternion.tolist()), convention="world")


@configclass
class PickCubeSceneCfg(InteractiveSceneCfg):  # type: ignore[misc]
    """An arm on a table, a cube in front of it, a camera that looks on and one at the wrist.

    The table's top is the plane z = 0 of each env's frame; the arm stands at the origin and reaches along +x.
    """

    robot: ArticulationCfg = ArticulationCfg(
        prim_path="{ENV_REGEX_NS}/Robot",
        spawn=sim_utils.UsdFileCfg(usd_path=""),
        init_state=ArticulationCfg.InitialStateCfg(joint_pos=dict(HOME)),
        actuators={
            "arm": ImplicitActuatorCfg(
                joint_names_expr=list(ARM_JOINTS),
                stiffness=60.0,
                damping=6.0,
                armature=0.02,
                joint_effort_limit=30.0,
            ),
            "fingers": ImplicitActuatorCfg(
                joint_names_expr=["finger_.*"],
                stiffness=400.0,
                damping=40.0,
                armature=0.05,
                joint_effort_limit=20.0,
            ),
        },
    )

    cube: RigidObjectCfg = RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/Cube",
        spawn=sim_utils.CuboidCfg(
            size=(CUBE_SIZE, CUBE_SIZE, CUBE_SIZE),
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(),
            mass_props=sim_utils.MassCfg(mass=0.05),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            physics_material=sim_utils.RigidBodyMaterialCfg(static_friction=1.0, dynamic_friction=1.0),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.75, 0.03, 0.03)),
        ),
        init_state=RigidObjectCfg.InitialStateCfg(pos=(0.25, 0.0, CUBE_SIZE / 2.0)),
    )

    table: AssetBaseCfg = AssetBaseCfg(
        prim_path="{ENV_REGEX_NS}/Table",
        spawn=sim_utils.CuboidCfg(
            size=(0.70, 0.80, 0.04),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
            visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=(0.62, 0.45, 0.28)),
        ),
        init_state=AssetBaseCfg.InitialStateCfg(pos=(0.17, 0.0, -0.02)),
    )

    light: AssetBaseCfg = AssetBaseCfg(
        prim_path="/World/Light", spawn=sim_utils.DomeLightCfg(intensity=2000.0, color=(1.0, 1.0, 1.0))
    )

    front: CameraCfg | None = _camera(
        "{ENV_REGEX_NS}/FrontCamera",
        # In front of the table and to one side, looking down at the arm.
        _looking(eye=(0.72, 0.42, 0.42), target=(0.14, 0.0, 0.135), up=(0.0, 0.0, 1.0)),
        focal_length=24.0,
    )

    wrist: CameraCfg = _camera(
        "{ENV_REGEX_NS}/Robot/wrist/WristCamera",
        # On the outer side of the wrist, looking past the fingers; the wrist frame's +z is towards the finger tips.
        _looking(eye=(-0.075, 0.0, 0.01), target=(0.0, 0.0, HAND + 0.01), up=(-1.0, 0.0, 0.0)),
        focal_length=14.0,
    )


@configclass
class OverTheShoulderSceneCfg(PickCubeSceneCfg):
    """The same, looked at from behind the arm: away from the camera is forward, as it is for whoever drives."""

    front: CameraCfg | None = None

    shoulder: CameraCfg = _camera(
        "{ENV_REGEX_NS}/ShoulderCamera",
        _looking(eye=(-0.26, -0.46, 0.52), target=(0.15, 0.0, 0.11), up=(0.0, 0.0, 1.0)),
        focal_length=26.0,
    )


@configclass
class ActionsCfg:
    """Six numbers: the five joint angles [rad] and the gripper's opening [m]. All are absolute targets."""

    arm: mdp.JointPositionActionCfg = mdp.JointPositionActionCfg(
        asset_name="robot", joint_names=list(ARM_JOINTS), preserve_order=True, use_default_offset=False
    )
    gripper: task_mdp.GripperOpeningActionCfg = task_mdp.GripperOpeningActionCfg(asset_name="robot")


HAND_SCALE = (0.065, 0.065, 0.065, 0.1, 0.1, 0.1)
"""What a number of the hand's movement is worth per step: the first three [m], the last three [rad]."""


@configclass
class HandActionsCfg:
    """Seven numbers: where the hand is to move and turn, in the arm's base frame, and whether to open the gripper.

    The arm has five joints: it follows every movement, and every turn but the one about its own forearm's direction.
    Turns count little against movements, so that a turn the arm cannot make does not carry the hand away.
    """

    hand: mdp.DifferentialInverseKinematicsActionCfg = mdp.DifferentialInverseKinematicsActionCfg(
        asset_name="robot",
        joint_names=list(ARM_JOINTS),
        body_name="hand",
        body_offset=mdp.DifferentialInverseKinematicsActionCfg.OffsetCfg(pos=(0.0, 0.0, HAND - FLANGE)),
        controller=DifferentialIKControllerCfg(
            command_type="pose", use_relative_mode=True, ik_method="dls", orientation_weight=0.1
        ),
        scale=HAND_SCALE,
    )
    gripper: mdp.BinaryJointPositionActionCfg = mdp.BinaryJointPositionActionCfg(
        asset_name="robot",
        joint_names=list(FINGER_JOINTS),
        open_command_expr={"finger_.*": MAX_OPENING / 2.0},
        close_command_expr={"finger_.*": 0.0},
    )


def _image(camera: str) -> ObservationTermCfg:
    # Not normalised: a dataset holds the camera's own uint8 picture.
    return ObservationTermCfg(
        func=mdp.image_rgb, params={"sensor_cfg": SceneEntityCfg(camera), "data_type": "rgb", "normalize": False}
    )


@configclass
class ObservationsCfg:
    """Observation groups."""

    @configclass
    class PolicyCfg(ObservationGroupCfg):  # type: ignore[misc]
        """What a policy may see, each term for itself."""

        joint_pos = ObservationTermCfg(func=mdp.joint_pos)
        joint_vel = ObservationTermCfg(func=mdp.joint_vel)
        eef_pos = ObservationTermCfg(func=task_mdp.eef_pos)
        gripper = ObservationTermCfg(func=task_mdp.gripper_opening)
        cube_pos = ObservationTermCfg(func=task_mdp.cube_pos)
        front_rgb = _image("front")
        wrist_rgb = _image("wrist")

        def __post_init__(self) -> None:
            """Keep the terms apart: they differ in shape and type."""
            self.enable_corruption = False
            self.concatenate_terms = False

    policy: PolicyCfg = PolicyCfg()


@configclass
class HandObservationsCfg:
    """The same, with the pictures of the cameras that are there."""

    @configclass
    class PolicyCfg(ObservationsCfg.PolicyCfg):
        """What a policy may see, each term for itself."""

        front_rgb: ObservationTermCfg | None = None
        shoulder_rgb = _image("shoulder")

    policy: PolicyCfg = PolicyCfg()


@configclass
class EventsCfg:
    """What a reset does."""

    reset_scene = EventTermCfg(func=mdp.reset_scene_to_default, mode="reset", params={"reset_joint_targets": True})
    place_cube = EventTermCfg(
        func=mdp.reset_root_state_uniform,
        mode="reset",
        params={
            "pose_range": {"x": (-0.05, 0.05), "y": (-0.12, 0.12), "yaw": (-math.pi / 4.0, math.pi / 4.0)},
            "velocity_range": {},
            "asset_cfg": SceneEntityCfg("cube"),
        },
    )


@configclass
class TerminationsCfg:
    """How an episode ends."""

    time_out = DoneTermCfg(func=mdp.time_out, time_out=True)
    cube_dropped = DoneTermCfg(func=task_mdp.cube_is_below, params={"height": -0.05})
    success = DoneTermCfg(func=task_mdp.cube_is_held_above, params={"height": LIFT_HEIGHT, "reach": 0.04})


@configclass
class RewardsCfg:
    """None: the task is for demonstrations."""


@configclass
class PickCubeEnvCfg(ManagerBasedRLEnvCfg):  # type: ignore[misc]
    """A desk arm picks up a cube. 30 steps per second, 20 s per episode."""

    scene: PickCubeSceneCfg = PickCubeSceneCfg(num_envs=1, env_spacing=2.0)
    sim: SimulationCfg = SimulationCfg(
        device="cpu",
        dt=1.0 / 30.0,
        render_interval=1,
        physics=NewtonCfg(
            solver_cfg=MJWarpSolverCfg(
                njmax=120,
                nconmax=40,
                cone="elliptic",
                impratio=10.0,
                integrator="implicitfast",
            ),
            # 90 Hz: at 60 Hz the cube creeps out of the fingers, and 120 Hz only costs time.
            num_substeps=3,
            use_cuda_graph=False,
        ),
    )
    actions: ActionsCfg | HandActionsCfg = ActionsCfg()
    observations: ObservationsCfg | HandObservationsCfg = ObservationsCfg()
    events: EventsCfg = EventsCfg()
    terminations: TerminationsCfg = TerminationsCfg()
    rewards: RewardsCfg = RewardsCfg()

    decimation: int = 1
    episode_length_s: float = 20.0
    num_rerenders_on_reset: int = 1

    # What a recording calls the work and the robot, where nobody says otherwise.
    task_description: str = TASK_DESCRIPTION
    robot_type: str = "pick_cube_arm"

    def __post_init__(self) -> None:
        """Find the robot's file, which is written on first use."""
        super().__post_init__()
        self.scene.robot.spawn.usd_path = arm_usd_path()

    def set_image_size(self, width: int, height: int) -> None:
        """Set the size of all cameras' pictures [px]."""
        for camera in vars(self.scene).values():
            if isinstance(camera, CameraCfg):
                camera.width, camera.height = width, height


@configclass
class PickCubeIKRelEnvCfg(PickCubeEnvCfg):
    """The same, for somebody who moves the hand with a keyboard, has two minutes for it and looks at the pictures."""

    scene: OverTheShoulderSceneCfg = OverTheShoulderSceneCfg(num_envs=1, env_spacing=2.0)
    observations: HandObservationsCfg = HandObservationsCfg()
    actions: HandActionsCfg = HandActionsCfg()
    episode_length_s: float = 120.0

    def __post_init__(self) -> None:
        """Stiffen the arm: what it carries pulls it down a little in each step, and the next step starts from there."""
        super().__post_init__()
        self.set_image_size(2 * IMAGE_WIDTH, 2 * IMAGE_HEIGHT)
        arm = self.scene.robot.actuators["arm"]
        arm.stiffness, arm.damping = 150.0, 15.0
