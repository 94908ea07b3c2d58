using Limbeck.Tokenization;
using Limbeck.Training.Evaluation.Reporting;

namespace Limbeck.Training.Jobs;

/// <summary>
/// TinyBERT's stages in one run, <c>limbeck compress --stage all</c>: general distillation, data augmentation, then the task's intermediate and prediction stages. Each
/// part is the job that it is by itself, in a folder of its own below the output folder, which gets the last student; so each keeps checkpoints of its own.
/// </summary>
/// <remarks>
/// All parts are opened and checked before the first begins. A run that is resumed goes through all of them again: a part that is finished says so by its own last
/// checkpoint or journal, which must be of these settings, models and data, and then trains nothing; the next one goes on where it stopped.
/// </remarks>
internal static class SeveralStages
{
    private const string GeneralFolder = "general";
    private const string AugmentFolder = "augment";

    /// <summary>Runs the stages whose inputs are given.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="context">What to run with.</param>
    /// <param name="phase">How far to go.</param>
    /// <returns>The plan, and the last student's report unless only the plan is wanted.</returns>
    /// <exception cref="UsageException">The settings do not fit the models or the folder; nothing has been written.</exception>
    /// <exception cref="OperationCanceledException">The run was interrupted; it can be resumed.</exception>
    public static (JobPlan? Plan, TrainingReport? Report) Run(CompressSettings settings, JobContext context, JobPhase phase)
    {
        OutputFolder.Check(settings);
        JobPlan plan = Plan(settings, context, phase == JobPhase.PlanOnly ? phase : JobPhase.CheckedPlan);
        if (phase == JobPhase.PlanOnly)
        {
            return (plan, null);
        }

        plan.Write(context.Messages);
        OutputFolder.Clear(settings);
        int parts = 1 + (settings.RunsGeneral ? 1 : 0) + (settings.RunsAugment ? 1 : 0);
        int part = 0;
        List<ReportPart> done = [];
        void Say(string name, string folder) => context.Messages.WriteLine($"\npart {++part} of {parts}: {name}, in {folder}");
        if (settings.RunsAugment && settings.OverwriteOutputDir)
        {
            GrowingFile.Remove(AugmentJob.Target(Augment(settings)));
        }

        if (settings.RunsGeneral)
        {
            CompressSettings general = General(settings);
            Say("general distillation", general.OutputDir!);
            TrainingReport report = GeneralStage.Run(general, context, JobPhase.AfterPlan).Report!;
            done.Add(new ReportPart("general", report.Steps, report.Tokens, report.Seconds));
        }

        if (settings.RunsAugment)
        {
            AugmentSettings augment = Augment(settings);
            Say("data augmentation", augment.OutputDir!);
            AugmentReport report = AugmentJob.Run(augment, context, JobPhase.AfterPlan, out _).Report!;
            context.Messages.WriteLine($"{report.File}: {report.AugmentedRows:N0} rows of {report.Rows:N0}");
            done.Add(new ReportPart("augment", 0, report.Tokens, report.Seconds));
        }

        Say("task distillation", settings.OutputDir!);
        return (plan, CompressJob.RunTask(Task(settings) with { PartsBefore = done }, context, JobPhase.AfterPlan).Report);
    }

    private static JobPlan Plan(CompressSettings settings, JobContext context, JobPhase phase)
    {
        List<PlannedStage> stages = [];
        List<string> skipped = [];
        if (settings.RunsGeneral)
        {
            CheckSameTokenizer(settings);
            context.Messages.WriteLine("general distillation:");
            stages.AddRange(GeneralStage.Run(General(settings), context, phase).Plan!.Stages);
        }
        else if (settings.Stage == "all")
        {
            skipped.Add($"general, since there is no --train-corpus with --general-teacher-model: the student starts from {(Directory.Exists(settings.StudentModel) ? settings.StudentModel : $"first weights of its own ({settings.StudentInit ?? "random"})")}");
        }

        AugmentPlan? expected = null;
        if (settings.RunsAugment)
        {
            context.Messages.WriteLine("data augmentation:");
            stages.AddRange(AugmentJob.Run(Augment(settings), context, phase, out expected).Plan!.Stages);
        }
        else if (settings.Stage == "all")
        {
            skipped.Add($"augment, since there is no --mlm-model: the intermediate stage learns on {(settings.Augmented ? "the augmented rows that are there" : "the original rows")}");
        }

        // What the parts before give is not there yet: of the student only its shape counts, of the rows only their number.
        context.Messages.WriteLine("task distillation:");
        CompressSettings task = Task(settings) with
        {
            StudentModel = settings.StudentModel,
            StudentInit = settings.RunsGeneral ? null : settings.StudentInit,
            AugTrain = settings.AugTrain && !settings.RunsAugment,
            AugFile = settings.AugFile,
        };
        JobPlan last = CompressJob.RunTask(task, context, phase, expected).Plan!;
        IReadOnlyList<PlannedStage> all = [.. stages, .. last.Stages];
        return last with { Stages = all, Skipped = skipped };
    }

    /// <summary>Refuses teachers that cut texts differently: the student has the tokens of the first, the hidden states to learn later those of the second.</summary>
    private static void CheckSameTokenizer(CompressSettings settings)
    {
        string Fingerprint(string folder) => BertTokenizer.FromDirectory(ModelFolder.Weights(folder)).Fingerprint;
        if (Fingerprint(settings.GeneralTeacherModel!) != Fingerprint(settings.TeacherModel!))
        {
            throw new UsageException(
                $"the tokenizers of --general-teacher-model {settings.GeneralTeacherModel} and --teacher-model {settings.TeacherModel} differ: the general stage's teacher must be the pretrained model that the task's teacher was fine-tuned from");
        }
    }

    /// <summary>The general stage's settings: the shared ones, with what belongs to the task left out.</summary>
    private static CompressSettings General(CompressSettings settings)
    {
        string folder = Path.Combine(settings.OutputDir!, GeneralFolder);
        return settings with
        {
            Stage = "general",
            TeacherModel = settings.GeneralTeacherModel,
            GeneralTeacherModel = null,
            MlmModel = null,
            MaxSeqLength = settings.General.MaxSeqLength,
            Task = null,
            DataDir = null,
            TrainFile = null,
            ValidationFile = null,
            ValidationSplit = 0,
            TextColumn = null,
            PairColumn = null,
            LabelColumn = null,
            Regression = null,
            MaxTrainSamples = 0,
            MaxEvalSamples = 0,
            Unlabelled = null,
            AugTrain = false,
            AugFile = null,
            NoTeacher = false,
            Head = null,
            HeadInit = "random",
            EvalSteps = 0,
            LoadBestModelAtEnd = false,
            MetricForBestModel = null,
            EarlyStoppingPatience = 0,
            BaselineResults = null,
            Dtype = "float32",
            OutputDir = folder,
            Resume = settings.Resume && Directory.Exists(folder),
        };
    }

    private static AugmentSettings Augment(CompressSettings settings) => new(settings.Augment)
    {
        Model = settings.MlmModel ?? settings.TeacherModel,
        Task = settings.Task,
        DataDir = settings.TrainFile is null ? settings.DataDir : null,
        TrainFile = settings.TrainFile,
        TextColumn = settings.TextColumn,
        PairColumn = settings.PairColumn,
        LabelColumn = settings.LabelColumn,
        MaxTrainSamples = settings.MaxTrainSamples,
        Seed = settings.Seed,
        Precision = settings.Precision,
        OutputDir = Path.Combine(settings.OutputDir!, AugmentFolder),
        Overwrite = settings.OverwriteOutputDir,
        Resume = settings.Resume,
    };

    /// <summary>The last part's settings. Its folder holds those of the others already, so it does not ask for an empty one again.</summary>
    private static CompressSettings Task(CompressSettings settings) => settings with
    {
        Stage = "task",
        TrainCorpus = null,
        GeneralTeacherModel = null,
        MlmModel = null,
        StudentModel = settings.RunsGeneral ? Path.Combine(settings.OutputDir!, GeneralFolder) : settings.StudentModel,
        StudentInit = settings.RunsGeneral ? null : settings.StudentInit,
        AugFile = settings.RunsAugment ? AugmentJob.Target(Augment(settings)) : settings.AugFile,
        OverwriteOutputDir = !settings.Resume && settings.ResumeFromCheckpoint is null,
        SentenceLoss = "none",
        Whole = settings,
    };
}
