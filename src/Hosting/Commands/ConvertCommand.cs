using System.CommandLine;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Conversion;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming convert</c>: the files of the recipe's trainer as a configuration, with an account of every setting.</summary>
internal static class ConvertCommand
{
    public static Command Create()
    {
        var arguments = new Argument<string>("hf-config") { Description = "Arguments of run_clm.py as JSON: ModelArguments, DataTrainingArguments, TrainingArguments of Transformers.", HelpName = "hf_config.json" };
        var deepSpeed = new Option<string?>("--deepspeed", "-d") { Description = "DeepSpeed's file; the one that the arguments name where left out.", HelpName = "ds_config.json" };
        var output = new Option<string>("--output", "-o") { Description = "File to write.", HelpName = "file", DefaultValueFactory = _ => "config.hocon" };
        var force = new Option<bool>("--force") { Description = "Replace the file." };
        var steps = new Option<long?>("--max-steps") { Description = "Optimiser steps of the run, where the arguments say epochs.", HelpName = "N" };
        var model = new Option<string?>("--model-config") { Description = "Shape of the model, a Mistral config.json, where the arguments name one that is not here.", HelpName = "file" };
        var normalize = new Option<bool>("--normalize") { Description = "The text is raw: normalise it and split it into sentences." };
        var command = new Command("convert", "Turn the arguments of run_clm.py (hf_config.json) and a DeepSpeed file into config.hocon, saying what each setting became.")
        {
            arguments, deepSpeed, output, force, steps, model, normalize,
        };
        command.SetAction(parsed =>
        {
            var target = parsed.GetRequiredValue(output);
            if (parsed.GetValue(steps) is < 1)
                throw new UserErrorException($"--max-steps must be 1 or more, was {parsed.GetValue(steps)}.");
            if (parsed.GetValue(model) is { } shape && !File.Exists(shape))
                throw new UserErrorException($"--model-config: there is no file {Path.GetFullPath(shape)}.");
            if (target.Length == 0 || Directory.Exists(target))
                throw new UserErrorException($"--output must be a file, was {(target.Length == 0 ? "empty" : $"the folder {target}")}.");
            var full = Path.GetFullPath(target);
            var conversion = Converter.Convert(parsed.GetRequiredValue(arguments), parsed.GetValue(deepSpeed), new ConvertOptions
            {
                OutputFolder = Path.GetDirectoryName(full)!,
                MaxSteps = parsed.GetValue(steps),
                ModelConfig = parsed.GetValue(model),
                Normalize = parsed.GetValue(normalize),
            });
            if (File.Exists(full) && !parsed.GetValue(force))
                throw new UserErrorException($"--output: {target} exists; name another file, or replace it with --force.");
            Write(full, conversion.Hocon);
            var screen = parsed.InvocationConfiguration.Output;
            foreach (var line in conversion.Report)
                screen.WriteLine(line);
            screen.WriteLine(conversion.Open == 0
                ? $"{target} is written; every setting has its place."
                : $"{target} is written; {conversion.Open} {(conversion.Open == 1 ? "setting has" : "settings have")} no counterpart or {(conversion.Open == 1 ? "is" : "are")} not known (! and ? above).");
            return ExitCodes.Done;
        });
        return command;
    }

    // What cannot be read again is not left behind.
    private static void Write(string path, string hocon)
    {
        var aside = path + ".partial";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(aside, hocon);
            SettingsLoader.Load(aside, [], Environment.GetEnvironmentVariable);
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--output: {path} cannot be written: {failure.Message.TrimEnd('.')}.", ExitCodes.Failed);
        }
        finally
        {
            if (File.Exists(aside))
                File.Delete(aside);
        }
    }
}
