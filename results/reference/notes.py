"""What is wrong with the published numbers, or keeps them from being compared: a sentence each."""

BEST_ON_TEST = "R0 reports the best of its epochs on the test images themselves, which flatters it."
RATE_UNKNOWN = (
    "learning rate and batch size behind R0's 92.1 % are unknown, and its first epoch looks like a "
    "warm start; as_published has the 0.002 and 64 of its last commit (which also has dropout), "
    "clean has 0.01, chosen on validation."
)
AT_96 = "R0 trains on images enlarged to 96x96, as as_published does; clean keeps them at 28x28."
OTHER_BATCHES = (
    "90.23 % is what R0's repository gives for batches of 64, the recipe's; its 92.67 % are from "
    "batches of 16 and, by its text, 30 epochs."
)
NO_ALEXNET = "R0 names an AlexNet, but the file is empty: network and recipe are ours."
NOTHING_FROZEN = (
    "R1's text freezes the middle of the network, but its code only sets an attribute on modules: "
    "all 161 tensors train."
)
CYCLIC = (
    "R1's CyclicLR overwrites the learning rate and momentum that it states; the recipe has the "
    "values that apply."
)
HALVES = (
    "R2 scores each network on another 5,000 of the test images, drawn without a seed, where "
    "as_published has one fixed half: one standard error is 0.42 points, so its 0.86 points "
    "between the two do not show that ResNet-8 is better."
)
IDLE_SCHEDULER = (
    "R2's scheduler hardly ever acts: early stopping ends the training at the fifth bad epoch, "
    "when the rate would fall for the first time; clean waits for ten bad epochs."
)
SECOND_RUN = "R2's own second run of ResNet-8 gave 90.24 % instead of 90.38 %."
RANDOM_STEM = "R2 throws the pretrained stem away for a random one; clean sums it over the colours."
SWAPPED_FILES = (
    "R3's two CSV files were swapped: 7,500 test images trained this network, and 60,000 training "
    "images tested it."
)
LEGENDS = (
    "In R3's bar charts the labels ResNet and CNN are swapped: where it says that ResNet wins, "
    "FashionCNN does, and the two saw different numbers of training images (7,500 against most "
    "likely 60,000)."
)
R3_TIME = (
    "R3's 82 minutes are from a CPU (25 from Colab's GPU) on other hardware than ours: its times "
    "cannot be compared."
)
R3_CNN_TIME = (
    'R3 says of FashionCNN "only 3 minutes" and not on what device: its times cannot be compared.'
)
READ_OFF_BARS = (
    "FashionCNN's 90.7 % is the mean recall read off R3's bars, each to 0.4 points and one of them "
    "hidden; the Kaggle original claims 93 %."
)
NEVER_EVAL = (
    "FashionCNN's Kaggle original never calls eval(): R3's was most likely scored, as that is, "
    "with dropout on and BatchNorm learning from the test images."
)
CODE_UNKNOWN = (
    "R3's own code, split and epochs for FashionCNN are unknown: the recipe is the Kaggle "
    "original's, scored in eval() under both protocols."
)
BATCH_MEANS = (
    "R4 reports means of batch means, in which the last 16 images count double: per sample its V0 "
    "has 83.41 % and its V1 75.00 %."
)
R4_TIMES = (
    "R4 timed V0 on a CPU, V1 and V2 on a GPU, all on other hardware than ours: its times cannot "
    "be compared."
)
DEAD_CLASSES = (
    "V1's class that is never predicted is due to its last ReLU, not to over-fitting: a logit "
    "below zero for every image gets no gradient."
)
CONSTANT_ANSWERS = (
    "V2 falls to a constant answer on some seeds at R4's learning rate; its README says 88.06 %, "
    "its notebook 88.38 %."
)
V1_FIXED = "V1 without its last ReLU is ours; nobody reports it."
POSTRELU = "ResNet-8 with a ReLU after each addition is ours; nobody reports it."
STEM_3X3 = "ResNet-18 with a 3x3 stem of stride 1 is ours; nobody reports it."
CNN_RELU = "FashionCNN with ReLU between its linear layers is ours; nobody reports it."
ALEXNET_224 = "AlexNet at 224x224 is that of the d2l book; R0 reports nothing of it."
