using Akka.Actor;
using Streaming.Model.Checkpoints;

namespace Streaming.Actors;

/// <summary>What a trainer works with, and what outlives its restarts.</summary>
/// <param name="Directory">The run's folder.</param>
/// <param name="Engines">Makes its engine.</param>
/// <param name="Pipeline">The owner of the text path.</param>
/// <param name="Checkpoints">The writer of checkpoints.</param>
/// <param name="Store">The checkpoints, to be read.</param>
/// <param name="Rollbacks">How often it was restarted, and how long it waits.</param>
/// <param name="Skips">What it leaves out of the text.</param>
/// <param name="Faults">What goes wrong by plan; null where nothing does.</param>
internal sealed record TrainerParts(
    RunDirectory Directory, EngineMaker Engines, IActorRef Pipeline, IActorRef Checkpoints, CheckpointStore Store,
    RollbackBudget Rollbacks, DataSkips Skips, FaultPlan? Faults);
