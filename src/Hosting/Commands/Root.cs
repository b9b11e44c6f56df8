using System.CommandLine;

namespace Streaming.Hosting.Commands;

/// <summary>The program with all its commands.</summary>
internal static class Root
{
    public static RootCommand Create()
    {
        var root = new RootCommand("Streams raw Japanese text into a trainer of Mistral models. Without a command it trains.")
        {
            TrainCommand.Create(),
            GenerateCommand.Create(),
            EvaluateCommand.Create(),
            ServeCommand.Create(),
            ExportCommand.Create(),
            NormalizeCommand.Create(),
            TokenizeCommand.Create(),
            InspectCommand.Create(),
            TokenizerCommand.Create(),
            ExtractCommand.Create(),
            ConfigCommand.Create(),
            ConvertCommand.Create(),
            ProveResumeCommand.Create(),
            ProvenanceCommand.Create(),
            BenchCommand.Create(),
            PlanCommand.Create(),
        };
        foreach (var command in ControlCommands.Create())
            root.Add(command);
        TrainCommand.AddTo(root);
        return root;
    }
}
